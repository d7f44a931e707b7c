package org.modeltracer.cli;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** Under which heading the help lists an option, or all options that a class declares. */
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.TYPE, ElementType.FIELD})
@interface Heading {
  /** The heading. */
  Topic value();

  /** All headings, in the order of the page. */
  enum Topic {
    MODEL("Model"),
    ENGINE("llama.cpp"),
    PROMPT("Prompt"),
    SAMPLING("Sampling"),
    CONTEXT("Context"),
    CACHE("KV cache"),
    TRACING("Tracing"),
    COMPARISON("Comparison"),
    POLICY("Checks"),
    ANALYSIS("Analysis"),
    OUTPUT("Output"),
    GENERAL("General");

    final String words;

    Topic(String words) {
      this.words = words;
    }
  }
}
