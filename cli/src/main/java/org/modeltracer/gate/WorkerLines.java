package org.modeltracer.gate;

import java.nio.file.Path;
import java.util.Optional;
import org.modeltracer.trace.Json;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.databind.DeserializationContext;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.MapperFeature;
import tools.jackson.databind.deser.std.StdDeserializer;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.module.SimpleModule;
import tools.jackson.databind.ser.std.ToStringSerializer;

/** How jobs and messages are written as lines, and read again. */
final class WorkerLines {
  private static final JsonMapper MAPPER =
      Json.mapper()
          .rebuild()
          .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
          .disable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          // As they were given: by itself Jackson makes them absolute.
          .addModule(
              new SimpleModule()
                  .addSerializer(Path.class, ToStringSerializer.instance)
                  .addDeserializer(Path.class, new PathReader()))
          .build();

  private static final class PathReader extends StdDeserializer<Path> {
    PathReader() {
      super(Path.class);
    }

    @Override
    public Path deserialize(JsonParser in, DeserializationContext context) {
      return Path.of(in.getString());
    }
  }

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
