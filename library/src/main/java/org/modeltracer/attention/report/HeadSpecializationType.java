package org.modeltracer.attention.report;

import java.util.Locale;

/** What a head is for, as its weights tell. */
public enum HeadSpecializationType {
  /** Its largest weight sits at one fixed offset. Voita et al. 2019. */
  POSITIONAL,
  /** It rests on position 0 or on special tokens. Clark et al. 2019. */
  SPECIAL_TOKEN,
  /** It matches content: copies of the token or what followed them. */
  SEMANTIC,
  /** It prefers structural tokens: a candidate only, since no parser is asked. */
  SYNTACTIC,
  /** It looks at the last few tokens. */
  LOCAL,
  /** It looks far back. */
  GLOBAL,
  /** None of these. */
  MIXED;

  private final String id = name().toLowerCase(Locale.ROOT);

  /** Name in JSON, such as {@code special_token}. */
  public String id() {
    return id;
  }
}
