package org.modeltracer.diagnose;

import java.nio.file.Path;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The prompts of the reference numbers, as token ids. */
final class Prompts {
  private Prompts() {}

  static int[] ids(String name) {
    Path file = Path.of("test-fixtures", "goldens", "prompts.json");
    for (JsonNode prompt : JsonMapper.shared().readTree(file.toFile())) {
      if (prompt.get("name").asString().equals(name)) {
        return prompt.get("ids").valueStream().mapToInt(JsonNode::asInt).toArray();
      }
    }
    throw new IllegalArgumentException("no prompt " + name);
  }
}
