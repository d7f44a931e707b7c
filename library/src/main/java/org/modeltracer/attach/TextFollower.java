package org.modeltracer.attach;

/** Follows what the sequences of a context read and say; called by whoever reads its records. */
public interface TextFollower {
  /**
   * A text begins in a sequence.
   *
   * @param reused how many of its tokens the cache held already
   * @param tokens all of its prompt that is known so far, from position 0; negative, and no two
   *     alike, where they were read before anybody looked
   */
  void onText(int sequence, int reused, int[] tokens);

  /** The text's prompt goes on: these tokens follow at that position. */
  void onMore(int sequence, int position, int[] tokens);

  /** A token was chosen by the scores before it, and has been read. */
  void onChosen(int sequence, int position, int token);
}
