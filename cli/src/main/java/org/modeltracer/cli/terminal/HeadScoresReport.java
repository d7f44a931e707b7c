package org.modeltracer.cli.terminal;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.report.HeadScores;
import org.modeltracer.gate.output.JsonHead;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.heads.HeadProbe;
import org.modeltracer.heads.Mask;
import org.modeltracer.model.HeadId;

/** What the standard probe found, as JSON or as a table and a map. */
public record HeadScoresReport(HeadProbe.Result result) {
  private static final List<String> COLUMNS =
      List.of("prev", "ind", "dup", "sink", "self", "local", "global", "retr", "fixed", "shift");

  public Map<String, @Nullable Object> toJson(GgufFile file) {
    var heads = new ArrayList<Map<String, @Nullable Object>>();
    result.scores().forEach((id, scores) -> heads.add(head(id, scores)));
    var masks = new ArrayList<Map<String, Object>>();
    result.masks().forEach((layer, mask) -> masks.add(mask(layer, mask)));
    Map<String, @Nullable Object> all = JsonHead.of(file).fields();
    all.put("heads", heads);
    all.put("sequences", result.sequences());
    all.put("period", result.period());
    all.put("text_tokens", result.textTokens());
    all.put("masks", masks);
    all.put("layers_without_attention", result.skipped());
    return all;
  }

  private Map<String, @Nullable Object> head(HeadId id, HeadScores scores) {
    var head = new LinkedHashMap<String, @Nullable Object>();
    head.put("layer", id.layer());
    head.put("head", id.head());
    head.put("label", scores.label());
    head.put("scores", scores(scores));
    head.put("offset", scores.offset());
    head.put("offset_excess", scores.offsetExcess());
    head.put("special_excess", scores.special());
    head.put("shift", scores.shift());
    head.put("rows", scores.rows());
    head.put("copy_rows", scores.copyRows());
    HeadScores text = result.text().get(id);
    if (text != null) {
      head.put("text", scores(text));
    }
    return head;
  }

  private static Map<String, Object> mask(int layer, Mask seen) {
    var mask = new LinkedHashMap<String, Object>();
    mask.put("layer", layer);
    mask.put("mask", seen.kind());
    mask.put("widest_row", seen.widest());
    return mask;
  }

  private static Map<String, Object> scores(HeadScores s) {
    var scores = new LinkedHashMap<String, Object>();
    scores.put("previous_token", s.previousToken());
    scores.put("induction", s.induction());
    scores.put("duplicate_token", s.duplicateToken());
    scores.put("sink", s.sink());
    scores.put("self", s.self());
    scores.put("local", s.local());
    scores.put("global", s.global());
    scores.put("retrieval", s.retrieval());
    scores.put("positional", s.positional());
    scores.put("shifted_induction", s.shifted());
    return scores;
  }

  public void print(String model, Terminal terminal) {
    terminal.println(
        terminal.styled("bold", model)
            + "  %d sequences of %d random tokens, three times each"
                .formatted(result.sequences(), result.period()));
    terminal.println("");
    var header = new StringBuilder("head    ");
    COLUMNS.forEach(column -> header.append("%7s".formatted(column)));
    terminal.println(terminal.styled("@|bold " + header + "  label|@"));
    result.scores().forEach((id, scores) -> terminal.println(line(id, scores, terminal)));
    terminal.println("");
    var map = new HeadMap(terminal);
    result.scores().forEach((id, scores) -> map.put(id, HeadMap.mark(scores.label())));
    map.print();
    masks(terminal);
  }

  private static String line(HeadId id, HeadScores s, Terminal terminal) {
    var line = new StringBuilder("%-8s".formatted(id));
    for (Object score : scores(s).values()) {
      double value = (Double) score;
      String cell = "%7.2f".formatted(value);
      String style = value >= 0.5 ? "bold" : value < 0.05 ? "faint" : "";
      line.append(style.isEmpty() ? cell : terminal.styled("@|" + style + " " + cell + "|@"));
    }
    HeadMap.Mark mark = HeadMap.mark(s.label());
    String name =
        mark.name()
            + switch (s.label()) {
              case null -> "";
              case POSITIONAL -> " (%d back)".formatted(s.offset());
              case SHIFTED_INDUCTION -> " (copy %+d)".formatted(s.shift());
              default -> "";
            };
    return line + "  " + terminal.styled("@|" + mark.style() + " " + name + "|@");
  }

  private void masks(Terminal terminal) {
    result
        .masks()
        .forEach(
            (layer, mask) -> {
              switch (mask.kind()) {
                case CAUSAL -> {}
                case SLIDING_WINDOW ->
                    terminal.println(
                        "layer %d sees the last %d positions only".formatted(layer, mask.widest()));
                case BIDIRECTIONAL ->
                    terminal.println(
                        "layer %d looks ahead: not scored, the probe compares with the past"
                            .formatted(layer));
              }
            });
    if (!result.skipped().isEmpty()) {
      terminal.println("skipped, without attention by softmax: layers " + result.skipped());
    }
  }
}
