package org.modeltracer.sparse.patterns;

/** What is added up of one head: of where its attention goes, and to which kinds of tokens. */
record TracedHead(HeadSums sums, KindSums kinds) {}
