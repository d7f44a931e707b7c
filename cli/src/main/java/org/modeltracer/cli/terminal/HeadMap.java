package org.modeltracer.cli.terminal;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.report.AttentionAnalysis;
import org.modeltracer.attention.report.AttentionLayer;
import org.modeltracer.attention.report.HeadLabel;
import org.modeltracer.attention.report.HeadSpecializationType;
import org.modeltracer.model.HeadId;

/** Layers × heads, a coloured letter each: what every head does, at a glance. */
public final class HeadMap {
  private static final int WIDTH = 100;
  private static final int TALLEST = 16;
  private static final Mark UNKNOWN = new Mark('?', "too few rows to tell", "faint");

  /** A letter, what it stands for, and picocli's style for it. */
  record Mark(char letter, String name, String style) {}

  private final Terminal terminal;
  private final NavigableMap<Integer, NavigableMap<Integer, Mark>> layers = new TreeMap<>();

  HeadMap(Terminal terminal) {
    this.terminal = terminal;
  }

  /** The labels that an analysis gave. */
  public static HeadMap of(AttentionAnalysis analysis, Terminal terminal) {
    var map = new HeadMap(terminal);
    for (AttentionLayer layer : analysis.attentionWeights().values()) {
      for (AttentionLayer.Head head : layer.heads().values()) {
        HeadSpecializationType type = head.specializationType();
        map.put(new HeadId(layer.layer(), head.head()), mark(type));
      }
    }
    return map;
  }

  void put(HeadId head, Mark mark) {
    layers.computeIfAbsent(head.layer(), l -> new TreeMap<>()).put(head.head(), mark);
  }

  static Mark mark(@Nullable HeadLabel label) {
    return switch (label) {
      case null -> UNKNOWN;
      case PREVIOUS_TOKEN -> new Mark('P', "previous token", "fg(cyan),bold");
      case INDUCTION -> new Mark('I', "induction", "fg(magenta),bold");
      case DUPLICATE_TOKEN -> new Mark('D', "duplicate token", "fg(red),bold");
      case SHIFTED_INDUCTION -> new Mark('i', "shifted induction", "fg(magenta)");
      case SELF -> new Mark('O', "own position", "fg(blue),bold");
      case POSITIONAL -> new Mark('F', "fixed offset", "fg(green),bold");
      case SINK -> new Mark('S', "sink", "fg(yellow)");
      case LOCAL -> new Mark('l', "local", "fg(green)");
      case GLOBAL -> new Mark('g', "global", "fg(blue)");
      case MIXED -> new Mark('.', "mixed", "faint");
    };
  }

  static Mark mark(@Nullable HeadSpecializationType type) {
    return switch (type) {
      case null -> UNKNOWN;
      case POSITIONAL -> new Mark('F', "fixed offset", "fg(cyan),bold");
      case SEMANTIC -> new Mark('C', "content", "fg(magenta),bold");
      case SYNTACTIC -> new Mark('p', "punctuation (a candidate for syntax)", "fg(red)");
      case SPECIAL_TOKEN -> new Mark('S', "sink or special tokens", "fg(yellow)");
      case LOCAL -> new Mark('l', "local", "fg(green)");
      case GLOBAL -> new Mark('g', "global", "fg(blue)");
      case MIXED -> new Mark('.', "mixed", "faint");
    };
  }

  /** Prints the map, in several columns of layers when there are many, and what letters mean. */
  public void print() {
    if (layers.isEmpty()) {
      return;
    }
    List<Integer> all = new ArrayList<>(layers.keySet());
    int heads = layers.values().stream().mapToInt(NavigableMap::lastKey).max().orElse(0) + 1;
    int fit = Math.max(1, WIDTH / (heads + 8));
    int columns = Math.min(fit, (all.size() + TALLEST - 1) / TALLEST);
    int rows = (all.size() + columns - 1) / columns;
    for (int r = 0; r < rows; r++) {
      var line = new StringBuilder();
      for (int i = r; i < all.size(); i += rows) {
        line.append("%5d  ".formatted(all.get(i)));
        cells(line, layers.getOrDefault(all.get(i), Collections.emptyNavigableMap()), heads);
        line.append(' ');
      }
      terminal.println(line.toString().stripTrailing());
    }
    terminal.println(legend());
  }

  private void cells(StringBuilder line, Map<Integer, Mark> layer, int heads) {
    for (int h = 0; h < heads; h++) {
      Mark mark = layer.get(h);
      line.append(mark == null ? " " : styled(mark, String.valueOf(mark.letter)));
    }
  }

  private String legend() {
    var used = new LinkedHashSet<Mark>();
    layers.values().forEach(heads -> used.addAll(heads.values()));
    var line = new StringBuilder("layer  one letter per head:");
    used.stream()
        .sorted(Comparator.comparingInt(Mark::letter).reversed())
        .forEach(
            m -> line.append("  ").append(styled(m, m.letter + "")).append(' ').append(m.name));
    return line.toString();
  }

  private String styled(Mark mark, String text) {
    return terminal.styled("@|" + mark.style + " " + text + "|@");
  }
}
