package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.testing.Faults;
import tools.jackson.databind.JsonNode;

/** What {@code inspect} says of files, sound and broken. */
class InspectTest {
  @TempDir Path folder;

  @Test
  void placesFoundAndNotFound() {
    Cli cli = Cli.run("inspect", "models/rand-mixtral-f32.gguf");
    assertThat(cli.code()).as(cli.err()).isZero();
    assertThat(cli.out()).contains("Metadata", "Tensors", "experts", "all layers");
    assertThat(Cli.run("inspect", Cli.MODEL).out()).containsPattern("not found: .*experts");
  }

  @Test
  void aSoundFilesWeightsPass() {
    Cli cli = Cli.run("inspect", Cli.MODEL, "--weights");
    assertThat(cli.code()).as(cli.err()).isZero();
    assertThat(cli.out()).contains("951,424 values of 39 tensors", "No faults");
  }

  @Test
  void oneBadWeightIsNamed() throws IOException {
    Path broken = Faults.make("f01_nan_ffn_down_l2", folder);
    JsonNode found = Cli.run("inspect", broken, "--weights", "--json").json();
    assertThat(found.at("/findings/0/tensor").asString()).isEqualTo("blk.2.ffn_down.weight");
    assertThat(found.at("/findings/0/first_index/0").asInt()).isEqualTo(101);
    assertThat(found.at("/findings/0/first_index/1").asInt()).isEqualTo(37);
    Cli cli = Cli.run("inspect", broken, "--weights");
    assertThat(cli.code()).isEqualTo(1);
    assertThat(cli.out()).containsOnlyOnce("blk.2.ffn_down.weight");
  }

  @Test
  void limitsCanBeMoved() throws IOException {
    Path strict = Files.writeString(folder.resolve("limits.yaml"), "weight_ratio: 1.01\n");
    Cli cli = Cli.run("inspect", Cli.MODEL, "--weights", "--thresholds", strict);
    assertThat(cli.code()).as(cli.err()).isEqualTo(1);
    assertThat(cli.out()).contains("in other layers");
  }
}
