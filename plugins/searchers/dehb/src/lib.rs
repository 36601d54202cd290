//! The searcher `dehb` as a plugin. The algorithm is [`tune_searchers::dehb`], a library so that
//! other plugins and native code can use it.

tune_plugin::export_searcher!(tune_searchers::Dehb);
