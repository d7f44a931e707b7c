package org.modeltracer.sparse;

/**
 * How index scores are distributed, over all keys that queries see.
 *
 * @param count scores
 * @param mean their mean
 * @param std their standard deviation
 * @param min the smallest
 * @param max the largest
 * @param p01 percentile 1; all percentiles are within 1/64 of the value
 * @param p05 percentile 5
 * @param p25 lower quartile
 * @param median the median
 * @param p75 upper quartile
 * @param p95 percentile 95
 * @param p99 percentile 99
 * @param zero share of exact zeros, 0 to 1: what a ReLU cut off
 */
public record ScoreSummary(
    long count,
    double mean,
    double std,
    double min,
    double max,
    double p01,
    double p05,
    double p25,
    double median,
    double p75,
    double p95,
    double p99,
    double zero) {}
