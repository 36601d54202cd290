//! The searcher `tpe` as a plugin. The algorithm is [`tune_searchers::tpe`], a library so that other
//! plugins and native code can use it.

tune_plugin::export_searcher!(tune_searchers::Tpe);
