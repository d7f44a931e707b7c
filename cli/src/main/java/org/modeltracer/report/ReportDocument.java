package org.modeltracer.report;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.PooledAttention;
import org.modeltracer.trace.Json;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.util.TokenBuffer;

/**
 * A document of results within a page.
 *
 * @param file its name
 * @param form what it tells
 * @param json all of it but attention matrices, which are as long as the square of the text
 * @param matrices pictures of those matrices, null where it holds none
 */
record ReportDocument(String file, Form form, JsonNode json, @Nullable PooledAttention matrices) {
  private static final Pattern MATRIX =
      Pattern.compile("/attention_weights/(\\d{1,6})/heads/(\\d{1,6})/attention_matrix");

  /** Bytes, at most: of more, a page could not be shown either. */
  private static final long MOST_BYTES = 1L << 30;

  /** Heads that a document is taken to have before it has been read. */
  private static final int HEADS = 64;

  /** A document that is at hand as JSON. */
  static ReportDocument of(String file, String json) {
    try (var in = new ByteArrayInputStream(json.getBytes(StandardCharsets.UTF_8))) {
      return read(file, in);
    } catch (IOException e) {
      throw new IllegalArgumentException(file + " cannot be read: " + e.getMessage(), e);
    }
  }

  /**
   * A document on disk.
   *
   * @throws IllegalArgumentException with one line that names the file, when it cannot be read, is
   *     no JSON, or none of ours
   */
  static ReportDocument read(Path file) {
    try {
      if (!Files.isRegularFile(file)) {
        throw new IllegalArgumentException("no such file: " + file);
      }
      if (Files.size(file) > MOST_BYTES) {
        throw new IllegalArgumentException(file + " is larger than " + (MOST_BYTES >> 20) + " MiB");
      }
      try (InputStream in = Files.newInputStream(file)) {
        return read(file.toString(), in);
      }
    } catch (IOException e) {
      throw new IllegalArgumentException(file + " cannot be read: " + e.getMessage(), e);
    }
  }

  private static ReportDocument read(String file, InputStream in) throws IOException {
    try (JsonParser parser = Json.mapper().createParser(in)) {
      var kept = TokenBuffer.forGeneration();
      PooledAttention matrices = null;
      while (parser.nextToken() != null) {
        kept.copyCurrentEvent(parser);
        if (parser.currentToken() == JsonToken.PROPERTY_NAME
            && parser.currentName().equals("attention_matrix")) {
          Matcher of = MATRIX.matcher(parser.streamReadContext().pathAsPointer().toString());
          if (parser.nextToken() == JsonToken.START_ARRAY && of.matches()) {
            matrices = matrices == null ? new PooledAttention(HEADS, Pictures.CELLS) : matrices;
            rows(parser, Integer.parseInt(of.group(1)), Integer.parseInt(of.group(2)), matrices);
          } else {
            parser.skipChildren();
          }
          kept.writeNull();
        }
      }
      JsonNode json = Json.mapper().readTree(kept.asParser());
      Form form =
          Form.of(json)
              .orElseThrow(
                  () ->
                      new IllegalArgumentException(file + ": none of the results that are known"));
      return new ReportDocument(Path.of(file).getFileName().toString(), form, json, matrices);
    } catch (JacksonException e) {
      throw new IllegalArgumentException(file + ": no JSON, " + e.getOriginalMessage(), e);
    }
  }

  private static void rows(JsonParser parser, int layer, int head, PooledAttention matrices) {
    while (parser.nextToken() == JsonToken.START_ARRAY) {
      List<Float> weights = new ArrayList<>();
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        weights.add(
            parser.currentToken().isNumeric() ? (float) parser.getDoubleValue() : Float.NaN);
      }
      float[] row = new float[weights.size()];
      for (int i = 0; i < row.length; i++) {
        row[i] = weights.get(i);
      }
      // A row ends with the weight on its own position.
      if (row.length > 0) {
        matrices.row(layer, head, row.length - 1, row);
      }
    }
  }
}
