"""The query language of the record store: Lucene syntax, read here and compiled to bound conditions."""
