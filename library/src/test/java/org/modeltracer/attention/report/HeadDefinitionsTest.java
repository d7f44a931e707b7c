package org.modeltracer.attention.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.modeltracer.attention.LayerFlow;
import org.modeltracer.attention.Quantity;

/** What is said of heads is defined in docs/definitions/heads.md, field by field. */
class HeadDefinitionsTest {
  private static final List<Class<? extends Record>> DEFINED =
      List.of(
          HeadSpecialization.class,
          HeadScores.class,
          HeadRedundancy.class,
          HeadRedundancy.Pair.class,
          Pruning.Recommendation.class,
          Pruning.Impact.class,
          LayerFlow.class);

  /** Counts and names that their own words define. */
  private static final Set<String> PLAIN =
      Set.of(
          "label",
          "rows",
          "head1",
          "head2",
          "same_group",
          "similarity",
          "redundant_pairs",
          "head_to_prune",
          "heads",
          "expected_impact",
          "reason",
          "correlational",
          "norm_share",
          // of HeadScores, printed as shifted_induction and as the label's excess
          "shifted",
          "special");

  @Test
  void everyFieldHasADefinition() throws IOException {
    String page = Files.readString(Path.of("docs", "definitions", "heads.md"));
    var fields = new TreeSet<String>();
    for (Class<? extends Record> type : DEFINED) {
      Arrays.stream(type.getRecordComponents()).map(RecordComponent::getName).forEach(fields::add);
    }
    Arrays.stream(Quantity.values()).map(Enum::name).forEach(fields::add);
    for (Class<? extends Enum<?>> labels :
        List.of(
            HeadSpecializationType.class,
            HeadRedundancy.Type.class,
            Pruning.Risk.class,
            Pruning.Verdict.class)) {
      Arrays.stream(labels.getEnumConstants()).map(Enum::name).forEach(fields::add);
    }
    assertThat(fields).hasSizeGreaterThan(70);
    for (String field : fields) {
      String name = snake(field);
      if (!PLAIN.contains(name)) assertThat(page).contains("`" + name + "`");
    }
  }

  private static String snake(String name) {
    return name.equals(name.toUpperCase(Locale.ROOT))
        ? name.toLowerCase(Locale.ROOT)
        : name.replaceAll("([a-z])([A-Z])", "$1_$2").toLowerCase(Locale.ROOT);
  }
}
