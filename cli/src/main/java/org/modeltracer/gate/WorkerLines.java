package org.modeltracer.gate;

import java.util.Optional;
import org.modeltracer.trace.Json;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.MapperFeature;
import tools.jackson.databind.json.JsonMapper;

/** How jobs and messages are written as lines, and read again. */
final class WorkerLines {
  private static final JsonMapper MAPPER =
      Json.mapper()
          .rebuild()
          .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
          .disable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .build();

  private WorkerLines() {}

  /** A job as one line without its end. */
  static String line(Job job) {
    return MAPPER.writeValueAsString(job);
  }

  /** The job of a line. */
  static Job job(String line) {
    return MAPPER.readValue(line, Job.class);
  }

  /** A message as a line of its own, whatever was printed just before it. */
  static String line(String token, Message message) {
    return "\n" + token + MAPPER.writerFor(Message.class).writeValueAsString(message) + "\n";
  }

  /** The message of a line; empty for what something else printed. */
  static Optional<Message> message(String token, String line) {
    if (!line.startsWith(token)) {
      return Optional.empty();
    }
    try {
      return Optional.of(MAPPER.readValue(line.substring(token.length()), Message.class));
    } catch (JacksonException e) {
      return Optional.empty();
    }
  }
}
