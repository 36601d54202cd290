//! The searcher `sobol` as a plugin. The algorithm is [`tune_searchers::sobol`], a library so that
//! other plugins and native code can use it.

tune_plugin::export_searcher!(tune_searchers::SobolSearch);
