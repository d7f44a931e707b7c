package org.modeltracer.anomaly;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.json.JsonMapper;

class ThresholdsTableTest {
  @Test
  void theTableInTheDocumentationListsEveryLimitWithItsDefault() throws IOException {
    var row = Pattern.compile("^\\| `(\\w+)` \\| ([0-9.e-]+) \\|");
    Map<String, Double> documented = new TreeMap<>();
    for (String line : Files.readAllLines(Path.of("docs", "anomalies.md"))) {
      var m = row.matcher(line);
      if (m.find()) {
        documented.put(m.group(1), Double.valueOf(m.group(2)));
      }
    }
    var mapper =
        JsonMapper.builder().propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE).build();
    Map<String, Double> limits =
        mapper.convertValue(Thresholds.defaults(), new TypeReference<TreeMap<String, Double>>() {});
    assertThat(documented).isEqualTo(limits);
  }
}
