package org.modeltracer.gate.output;

import com.fasterxml.jackson.annotation.JsonUnwrapped;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gguf.GgufException;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.Quantization;
import org.modeltracer.model.CutText;
import org.modeltracer.session.RunDescription;
import org.modeltracer.trace.Json;

/**
 * What all JSON that the program writes begins with: the version of its layout, the program, and
 * the model that the rest is about.
 *
 * @param schemaVersion version of the layout
 * @param tool this program
 * @param model the model: {@code file} (its name), {@code architecture}, {@code quantization},
 *     {@code bytes}
 */
public record JsonHead(
    int schemaVersion, Map<String, Object> tool, Map<String, @Nullable Object> model) {
  /** Version of all layouts; each would have its own were one to change. */
  public static final int SCHEMA_VERSION = 1;

  private record Headed(@JsonUnwrapped JsonHead head, @JsonUnwrapped Object body) {}

  /** The head of what is about a model. */
  public static JsonHead of(GgufFile model) {
    return new JsonHead(SCHEMA_VERSION, RunDescription.tool(), model(model));
  }

  /** The head of what is about a file, be it readable or not. */
  public static JsonHead of(Path file) {
    return new JsonHead(SCHEMA_VERSION, RunDescription.tool(), model(file));
  }

  /** What names a model. */
  public static Map<String, @Nullable Object> model(GgufFile file) {
    Map<String, @Nullable Object> model = new LinkedHashMap<>();
    model.put("file", String.valueOf(file.path().getFileName()));
    model.put("architecture", file.architecture().map(CutText::of).orElse(null));
    model.put("quantization", Quantization.of(file));
    model.put("bytes", file.size());
    return model;
  }

  /** The same of a file that may not be readable, of which only the name is known then. */
  private static Map<String, @Nullable Object> model(Path file) {
    try {
      return model(GgufFile.read(file));
    } catch (GgufException unreadable) {
      Map<String, @Nullable Object> model = new LinkedHashMap<>();
      model.put("file", String.valueOf(file.getFileName()));
      model.put("architecture", null);
      model.put("quantization", null);
      model.put("bytes", null);
      return model;
    }
  }

  /** The head as fields, to which others are added. */
  public Map<String, @Nullable Object> fields() {
    Map<String, @Nullable Object> fields = new LinkedHashMap<>();
    fields.put("schema_version", schemaVersion);
    fields.put("tool", tool);
    fields.put("model", model);
    return fields;
  }

  /** The head, and behind it the components of a record. */
  public Object before(Record body) {
    return new Headed(this, body);
  }

  /** The same as a document of one line. */
  public String line(Record body) {
    return Json.line(before(body)) + "\n";
  }
}
