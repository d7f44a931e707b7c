package org.modeltracer.cache;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Cells against a plain table of sets. */
class CellMapTest {
  private static final int CELLS = 24;
  private static final int STREAM = 8;

  private static final class Plain {
    final int[] position = new int[CELLS];
    final Set<Integer>[] owners;

    @SuppressWarnings({"unchecked", "rawtypes"})
    Plain() {
      owners = new Set[CELLS];
      for (int c = 0; c < CELLS; c++) {
        owners[c] = new TreeSet<>();
      }
    }

    boolean has(int cell, int sequence, int from, int to) {
      int p = position[cell];
      return owners[cell].contains(sequence) && p >= from && (to < 0 || p < to);
    }
  }

  /** More sequences than bits in a word; the streams of the last operation have one each. */
  @ParameterizedTest
  @ValueSource(ints = {3, 64, 130})
  void doesWhatATableDoes(int sequences) {
    var random = new Random(sequences);
    var map = new CellMap(CELLS, sequences);
    var plain = new Plain();
    for (int step = 0; step < 4000; step++) {
      step(random, map, plain, sequences);
      int used = 0;
      int oldest = Integer.MAX_VALUE;
      int run = 0;
      int longest = 0;
      for (int c = 0; c < CELLS; c++) {
        boolean empty = plain.owners[c].isEmpty();
        assertThat(map.position(c)).isEqualTo(empty ? -1 : plain.position[c]);
        for (int s = 0; s < sequences; s++) {
          assertThat(map.holds(c, s)).isEqualTo(plain.owners[c].contains(s));
        }
        used += empty ? 0 : 1;
        oldest = empty ? oldest : Math.min(oldest, plain.position[c]);
        run = empty ? 0 : run + 1;
        longest = Math.max(longest, run);
      }
      assertThat(map.used()).isEqualTo(used);
      assertThat(map.oldest()).isEqualTo(used == 0 ? -1 : oldest);
      assertThat(map.longestRuns(CELLS)).isEqualTo(longest);
    }
  }

  private static void step(Random random, CellMap map, Plain plain, int sequences) {
    int s = random.nextInt(sequences);
    int other = (s + 1 + random.nextInt(sequences - 1)) % sequences;
    int from = random.nextInt(12);
    int to = random.nextBoolean() ? CellMap.END : from + random.nextInt(6);
    switch (random.nextInt(12)) {
      case 0 -> {
        int emptied = 0;
        for (int c = 0; c < CELLS; c++) {
          if (plain.has(c, s, from, to)) {
            plain.owners[c].remove(s);
            emptied += plain.owners[c].isEmpty() ? 1 : 0;
          }
        }
        assertThat(map.remove(s, from, to)).isEqualTo(emptied);
      }
      case 1 -> {
        map.copy(s, other, from, to);
        for (int c = 0; c < CELLS; c++) {
          if (plain.has(c, s, from, to)) {
            plain.owners[c].add(other);
          }
        }
      }
      case 2 -> shift(map, plain, s, from, to, random.nextInt(9) - 5);
      case 3 -> {
        int a = random.nextInt(3);
        int b = (a + 1) % 3;
        map.copyStream(a, b, STREAM);
        for (int i = 0; i < STREAM; i++) {
          boolean held = plain.owners[a * STREAM + i].contains(a);
          plain.owners[b * STREAM + i] = held ? new TreeSet<>(Set.of(b)) : new TreeSet<>();
          plain.position[b * STREAM + i] = plain.position[a * STREAM + i];
        }
      }
      default -> {
        int cell = random.nextInt(CELLS);
        int position = random.nextInt(12);
        assertThat(map.write(cell, position, s)).isEqualTo(!plain.owners[cell].isEmpty());
        plain.position[cell] = position;
        plain.owners[cell] = new TreeSet<>(Set.of(s));
      }
    }
  }

  private static void shift(CellMap map, Plain plain, int s, int from, int to, int delta) {
    int emptied = 0;
    for (int c = 0; c < CELLS; c++) {
      if (plain.has(c, s, from, to)) {
        plain.position[c] += delta;
        if (plain.position[c] < 0) {
          plain.owners[c].clear();
          emptied++;
        }
      }
    }
    assertThat(map.shift(s, from, to, delta)).isEqualTo(emptied);
  }
}
