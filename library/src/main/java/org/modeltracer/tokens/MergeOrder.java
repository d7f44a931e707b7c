package org.modeltracer.tokens;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;

/**
 * Whether the merges of a BPE vocabulary stand in the order in which they were learnt.
 *
 * <p>A trainer numbers per token when it learns the merge that makes it, so ids rise along the list
 * of merges. Where nearly all do, one that does not was moved: the file was edited, or converted
 * wrongly.
 *
 * @param merges merges that were looked at: the first of each token that the vocabulary has
 * @param outOfPlace merges to leave out for the ids of the others to rise, as few as possible, in
 *     the order of the file
 */
public record MergeOrder(int merges, List<String> outOfPlace) {
  /** Copies the list. */
  public MergeOrder {
    outOfPlace = List.copyOf(outOfPlace);
  }

  /** Looks at the merges of a vocabulary; one that lists none has nothing out of place. */
  public static MergeOrder of(GgufVocabulary vocabulary) {
    Map<String, Integer> ids = new HashMap<>();
    for (int id = 0; id < vocabulary.size(); id++) {
      ids.putIfAbsent(vocabulary.text(id), id);
    }
    var made = new HashSet<Integer>();
    var lines = new ArrayList<String>();
    var results = new ArrayList<Integer>();
    for (String line : vocabulary.merges().orElse(List.of())) {
      Integer id = ids.get(result(line));
      if (id != null && made.add(id)) {
        lines.add(line);
        results.add(id);
      }
    }
    boolean[] kept = longestRise(results);
    var moved = new ArrayList<String>();
    for (int i = 0; i < kept.length; i++) {
      if (!kept[i]) {
        moved.add(lines.get(i));
      }
    }
    return new MergeOrder(lines.size(), moved);
  }

  /** What a merge makes; its two parts are separated by the first space after the first letter. */
  static String result(String line) {
    int space = line.indexOf(' ', 1);
    return space < 0 ? "" : line.substring(0, space) + line.substring(space + 1);
  }

  /** The members of a longest rising subsequence, by patience sorting. */
  private static boolean[] longestRise(List<Integer> values) {
    int[] smallestEnd = new int[values.size()];
    int[] endsAt = new int[values.size()];
    int[] before = new int[values.size()];
    int length = 0;
    for (int i = 0; i < values.size(); i++) {
      int found = Arrays.binarySearch(smallestEnd, 0, length, values.get(i));
      int at = found < 0 ? -found - 1 : found;
      smallestEnd[at] = values.get(i);
      endsAt[at] = i;
      before[i] = at == 0 ? -1 : endsAt[at - 1];
      length = Math.max(length, at + 1);
    }
    var kept = new boolean[values.size()];
    for (int i = length == 0 ? -1 : endsAt[length - 1]; i >= 0; i = before[i]) {
      kept[i] = true;
    }
    return kept;
  }
}
