package org.modeltracer.attention;

/** Head-averaged attention of one layer: rows of queries that follow each other. */
interface MeanRows {
  /** Mean weights of the i-th query on keys from 0, the first {@link #length}; to be read only. */
  float[] row(int i);

  /** Number of keys of the i-th query's row; 0 where no head showed it. */
  int length(int i);
}
