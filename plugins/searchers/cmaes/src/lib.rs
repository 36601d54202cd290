//! The searcher `cmaes` as a plugin. The algorithm is [`tune_searchers::cmaes`], a library so that other
//! plugins and native code can use it.

tune_plugin::export_searcher!(tune_searchers::Cmaes);
