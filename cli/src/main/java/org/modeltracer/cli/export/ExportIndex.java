package org.modeltracer.cli.export;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.Vocabulary;

/** What an export consists of: {@code export.json}, by {@code export.schema.json}. */
public final class ExportIndex {
  /** Its file. */
  public static final String FILE = "export.json";

  private static final int SCHEMA_VERSION = 1;

  private final Map<String, @Nullable Object> run;
  private final ExportFolder.Format format;
  private final Vocabulary vocabulary;
  private final List<Object> prompts = new ArrayList<>();
  private final List<Object> files = new ArrayList<>();
  private final Set<String> notes = new LinkedHashSet<>();
  private List<String> tables = List.of();

  /**
   * An index of nothing yet.
   *
   * @param run what a summary says of program, runtime, model and settings
   */
  public ExportIndex(
      Map<String, @Nullable Object> run, ExportFolder.Format format, Vocabulary vocabulary) {
    this.run = run;
    this.format = format;
    this.vocabulary = vocabulary;
  }

  /** Adds a text with its arrays. */
  public void add(ExportedText text, ExportPlan plan) {
    for (ExportPlan.Entry entry : plan.entries()) {
      Map<String, @Nullable Object> file = new LinkedHashMap<>();
      file.put("file", entry.file());
      file.put("prompt", prompts.size());
      file.put("what", entry.what().toString());
      file.put("layer", entry.layer());
      file.put("heads", entry.heads().isEmpty() ? null : entry.heads());
      file.put("type", entry.type());
      file.put("shape", entry.shape());
      file.put("axes", entry.axes());
      file.put("bytes", entry.bytes());
      files.add(file);
    }
    prompts.add(text.toJson(vocabulary));
    notes.addAll(plan.notes());
  }

  /** Names the tables. */
  public void tables(List<String> names) {
    tables = names;
  }

  /** Notes what the arrays lack, and why. */
  public void note(String note) {
    notes.add(note);
  }

  /** What the arrays lack, and why. */
  public Set<String> notes() {
    return notes;
  }

  /** The index. */
  public Map<String, @Nullable Object> toJson() {
    Map<String, @Nullable Object> json = new LinkedHashMap<>();
    json.put("schema_version", SCHEMA_VERSION);
    for (String field : List.of("tool", "runtime", "model", "config")) {
      json.put(field, run.get(field));
    }
    json.put("format", format);
    json.put("archive", format == ExportFolder.Format.NPZ ? ExportFolder.ARCHIVE : null);
    json.put("prompts", prompts);
    json.put("files", files);
    json.put("tables", tables);
    json.put("notes", notes);
    return json;
  }
}
