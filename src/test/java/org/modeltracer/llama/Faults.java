package org.modeltracer.llama;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HexFormat;
import org.modeltracer.testing.Golden;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Broken models, made from healthy ones by the edits of the fault set. */
final class Faults {
  private Faults() {}

  /** Writes the fault of that id into the folder. */
  static Path make(String id, Path folder) throws IOException {
    Path manifest = Path.of("test-fixtures", "faults", "manifest.json");
    for (JsonNode fault : JsonMapper.shared().readTree(manifest.toFile()).get("faults")) {
      if (fault.get("id").asString().equals(id)) {
        Path file = folder.resolve(id + ".gguf");
        Files.copy(Golden.model(fault.get("base").asString()), file);
        edit(file, fault);
        return file;
      }
    }
    throw new IllegalArgumentException("no fault " + id);
  }

  private static void edit(Path file, JsonNode fault) throws IOException {
    try (SeekableByteChannel out = Files.newByteChannel(file, StandardOpenOption.WRITE)) {
      for (JsonNode patch : fault.get("patch")) {
        byte[] bytes = HexFormat.of().parseHex(patch.get("hex").asString());
        out.position(patch.get("offset").asLong()).write(ByteBuffer.wrap(bytes));
      }
      if (fault.hasNonNull("truncate_to")) {
        out.truncate(fault.get("truncate_to").asLong());
      }
    }
  }
}
