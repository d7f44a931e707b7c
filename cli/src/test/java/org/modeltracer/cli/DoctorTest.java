package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.networknt.schema.Schema;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.cli.terminal.DoctorReport;
import org.modeltracer.gate.Schemas;
import org.modeltracer.gguf.GgufFile;
import tools.jackson.databind.JsonNode;

/** Someone's model prints garbage: the first sentence is the answer. */
class DoctorTest {
  private static final Path MODEL = Path.of("models", "tinyllama-gqa-f16.gguf");

  @TempDir Path folder;

  private static String answer(Cli cli) {
    return cli.out().lines().findFirst().orElse("");
  }

  @Test
  void aDamagedWeightIsNamedWithWhatFollowsFromIt() throws IOException {
    byte[] bytes = Files.readAllBytes(MODEL);
    var weight = GgufFile.read(MODEL).tensor("blk.2.ffn_down.weight").orElseThrow();
    ByteBuffer.wrap(bytes)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putShort(Math.toIntExact(weight.offset()) + 2 * (37 * 256 + 101), (short) 0x7e00);
    Path broken = Files.write(folder.resolve("broken.gguf"), bytes);
    Cli cli = Cli.run("doctor", "-m", broken, "-p", "When you run the program");
    assertThat(cli.code()).isEqualTo(1);
    assertThat(answer(cli))
        .isEqualTo(
            "A weight is damaged: blk.2.ffn_down.weight has 1 bad value (1 NaN, 0 Inf), the first"
                + " at [101, 37].");
    assertThat(cli.out()).contains("findings follow from it", "What to try", "SHA-256");
  }

  @Test
  void soundNumbersThatMeanNothing() {
    Cli cli = Cli.run("doctor", "models/rand-gpt2-f32.gguf", "--json");
    assertThat(cli.code()).isEqualTo(1);
    Schema schema = Schemas.of(DoctorReport.class, "doctor.schema.json");
    assertThat(Schemas.errors(schema, cli.out())).isEmpty();
    JsonNode json = cli.json();
    assertThat(json.path("answer").asString())
        .startsWith("The model knows no language: perplexity");
    assertThat(json.at("/suspects/0/illness").asString()).isEqualTo("no_language");
    assertThat(json.at("/suspects/0/evidence/0").asString()).contains("matrices look random");
    assertThat(json.at("/suspects/0/advice")).isNotEmpty();
  }

  @Test
  void aFileThatCannotBeReadAndOneThatIsNot() throws IOException {
    Path cut = folder.resolve("cut.gguf");
    Files.write(cut, Arrays.copyOf(Files.readAllBytes(MODEL), 5000));
    Cli unreadable = Cli.run("doctor", cut);
    assertThat(unreadable.code()).isEqualTo(3);
    assertThat(answer(unreadable)).startsWith("The file cannot be loaded: ");
    Cli usage = Cli.run("doctor");
    assertThat(usage.code()).isEqualTo(2);
  }

  @Test
  void aSoundModelIsLeftInPeace() {
    Cli cli = Cli.run("doctor", "models/tinyllama-mha-Q8_0.gguf");
    assertThat(cli.code()).as(cli.out()).isZero();
    assertThat(answer(cli)).startsWith("Nothing wrong was found: ");
    assertThat(cli.out()).contains("Not looked for");
  }
}
