package org.modeltracer.model;

/** Well-mixed bits of a number: SplitMix64's finalizer (Steele, Lea and Flood 2014). */
public final class SplitMix {
  private SplitMix() {}

  /**
   * 64 bits of which each depends on all of the number's; different numbers have different ones.
   */
  public static long mix(long number) {
    long z = number + 0x9e3779b97f4a7c15L;
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }
}
