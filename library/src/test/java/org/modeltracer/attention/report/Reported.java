package org.modeltracer.attention.report;

import org.modeltracer.attention.AttentionCollector;

/** The analysis of what a collector has. */
final class Reported {
  private Reported() {}

  static AttentionAnalysis of(AttentionCollector collector) {
    return AttentionAnalysis.of(collector.collected(), AnalysisContext.defaults());
  }

  static AttentionAnalysis of(AttentionCollector collector, HeadCosts costs) {
    return AttentionAnalysis.of(collector.collected(), AnalysisContext.defaults().withCosts(costs));
  }
}
