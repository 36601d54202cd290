//! Search-space maths and the plain records of the tune:plugin contract, shared by host and plugins.
