//! The searcher `auto` as a plugin, the default one. What it does is [`tune_searchers::auto`].

tune_plugin::export_searcher!(tune_searchers::Auto);
