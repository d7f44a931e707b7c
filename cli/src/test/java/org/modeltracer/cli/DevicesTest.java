package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.modeltracer.llama.Device;
import org.modeltracer.llama.LlamaRuntime;

/** What there is to compute on, and choosing from it. */
class DevicesTest {
  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"run", "diff", "check", "doctor"})
  void areListedWithoutAModel(String command) {
    List<Device> devices = LlamaRuntime.load().devices();
    for (String option : List.of("--devices", "--list-devices")) {
      Cli cli = Cli.run(command, option);
      assertThat(cli.code()).as(cli.err()).isZero();
      List<String> lines = cli.out().lines().toList();
      assertThat(lines).hasSameSizeAs(devices);
      for (int i = 0; i < lines.size(); i++) {
        Device device = devices.get(i);
        assertThat(lines.get(i)).startsWith(device.name() + " ").contains(device.description());
      }
    }
    assertThat(devices).anyMatch(d -> d.name().equals("CPU") && !d.offloads() && d.bytes() > 0);
  }

  @Test
  void aRunSaysOnWhatItComputes() {
    for (String processor : List.of("cpu", "CPU", "none")) {
      Cli cli = run("--backend", processor);
      assertThat(cli.code()).as(cli.err()).isZero();
      assertThat(cli.out()).containsPattern("\nllama.cpp \\S+ on [^(\n]*CPU, 1 thread");
    }
  }

  @Test
  void whatIsNotThereIsRefused() {
    Cli cli = run("-dev", "cpu,abacus7");
    assertThat(cli.code()).isEqualTo(2);
    assertThat(cli.message())
        .startsWith("modeltracer: --backend: llama.cpp has no device or backend 'abacus7', only ")
        .endsWith("--llama-lib takes a build with others");
  }

  private Cli run(String option, String devices) {
    return Cli.run("run", Cli.MODEL, "-p", "x", "-n", 1, "-t", 1, "--out", folder, option, devices);
  }
}
