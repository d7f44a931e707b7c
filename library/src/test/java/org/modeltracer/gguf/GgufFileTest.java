package org.modeltracer.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GgufFileTest {
  @TempDir Path directory;

  @Test
  void everyTypeOfValueIsReadAsWritten() {
    Metadata metadata =
        new GgufBytes()
            .pair("u8", 0, new byte[] {(byte) 200})
            .pair("i8", 1, new byte[] {(byte) 200})
            .pair("u16", 2, new byte[] {(byte) 0xfe, (byte) 0xff})
            .pair("i16", 3, new byte[] {(byte) 0xfe, (byte) 0xff})
            .u32("u32", 0xfffffffeL)
            .pair("i32", 5, GgufBytes.u32(-2))
            .pair("f32", 6, GgufBytes.u32(Float.floatToIntBits(0.1f)))
            .bool("yes", true)
            .bool("no", false)
            .text("text", "naïve 😀")
            .pair("u64", 10, GgufBytes.u64(-2))
            .pair("i64", 11, GgufBytes.u64(-2))
            .pair("f64", 12, GgufBytes.u64(Double.doubleToLongBits(Math.PI)))
            .read(directory)
            .metadata();

    assertThat(metadata.keys())
        .containsExactly(
            "u8", "i8", "u16", "i16", "u32", "i32", "f32", "yes", "no", "text", "u64", "i64",
            "f64");
    assertThat(metadata.integer("u8")).hasValue(200);
    assertThat(metadata.integer("i8")).hasValue(-56);
    assertThat(metadata.integer("u16")).hasValue(65534);
    assertThat(metadata.integer("i16")).hasValue(-2);
    assertThat(metadata.integer("u32")).hasValue(0xfffffffeL);
    assertThat(metadata.integer("i32")).hasValue(-2);
    assertThat(metadata.integer("i64")).hasValue(-2);
    assertThat(metadata.integer("u64")).as("does not fit").isEmpty();
    assertThat(metadata.get("u64").orElseThrow()).hasToString("18446744073709551614");
    assertThat(metadata.number("f32")).hasValue(0.1f);
    assertThat(metadata.number("f64")).hasValue(Math.PI);
    assertThat(metadata.number("i8")).hasValue(-56);
    assertThat(metadata.bool("yes")).contains(true);
    assertThat(metadata.bool("no")).contains(false);
    assertThat(metadata.string("text")).contains("naïve 😀");
    assertThat(metadata.string("u8")).as("another type").isEmpty();
    assertThat(metadata.integer("absent")).isEmpty();
  }

  @Test
  void everyTypeOfArrayIsReadAsWritten() {
    byte[] shorts = {1, 0, (byte) 0xff, (byte) 0xff};
    byte[] floats = GgufBytes.join(GgufBytes.u32(Float.floatToIntBits(1.5f)), GgufBytes.u32(0));
    byte[] doubles = GgufBytes.u64(Double.doubleToLongBits(-0.25));
    Metadata metadata =
        new GgufBytes()
            .array("u8", 0, 2, new byte[] {1, -1})
            .array("i8", 1, 2, new byte[] {1, -1})
            .array("u16", 2, 2, shorts)
            .array("i16", 3, 2, shorts)
            .array("u32", 4, 2, GgufBytes.u32(1), GgufBytes.u32(-1))
            .array("i32", 5, 2, GgufBytes.u32(1), GgufBytes.u32(-1))
            .array("f32", 6, 2, floats)
            .array("bool", 7, 2, new byte[] {1, 0})
            .texts("texts", "a", "", "ĠΩ", "d")
            .array("u64", 10, 2, GgufBytes.u64(1), GgufBytes.u64(-1))
            .array("i64", 11, 2, GgufBytes.u64(1), GgufBytes.u64(-1))
            .array("f64", 12, 1, doubles)
            .array("none", 8, 0)
            .read(directory)
            .metadata();

    assertThat(metadata.integers("u8")).contains(new long[] {1, 255});
    assertThat(metadata.integers("i8")).contains(new long[] {1, -1});
    assertThat(metadata.integers("u16")).contains(new long[] {1, 65535});
    assertThat(metadata.integers("i16")).contains(new long[] {1, -1});
    assertThat(metadata.integers("u32")).contains(new long[] {1, 0xffffffffL});
    assertThat(metadata.integers("i32")).contains(new long[] {1, -1});
    assertThat(metadata.integers("u64")).contains(new long[] {1, -1});
    assertThat(metadata.integers("i64")).contains(new long[] {1, -1});
    assertThat(metadata.floats("f32")).contains(new float[] {1.5f, 0});
    assertThat(metadata.floats("f64")).contains(new float[] {-0.25f});
    assertThat(metadata.strings("texts")).contains(List.of("a", "", "ĠΩ", "d"));
    assertThat(metadata.strings("none")).contains(List.of());
    ArrayValue bools = metadata.array("bool").orElseThrow();
    assertThat(bools.bool(0)).isTrue();
    assertThat(bools.bool(1)).isFalse();
    assertThatThrownBy(() -> bools.integer(0)).isInstanceOf(IllegalStateException.class);
    ArrayValue bytes = metadata.array("u8").orElseThrow();
    assertThatThrownBy(() -> bytes.integer(2)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThat(bytes).hasToString("[2 × uint8]");
  }

  @Test
  void valuesAreFoundAtTheirOffsets() {
    byte[] file = new GgufBytes().text("first", "x").u32("second", 0xcafe).bytes();
    long offset = GgufBytes.read(directory, file).metadata().offset("second").orElseThrow();
    assertThat(ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getInt((int) offset))
        .isEqualTo(0xcafe);
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3})
  void tensorsLieWhereTheTableSays(int version) {
    GgufFile file =
        new GgufBytes()
            .version(version)
            .u32("general.alignment", 64)
            .align(64)
            .tensor("scalar")
            .tensor("matrix", 5, 3)
            .line("quantized", 12, 128, 256, 2)
            .line("last", 0, 128 + 320, 1, 1, 1, 1)
            .read(directory, 128 + 320 + 4);

    assertThat(file.version()).isEqualTo(version);
    assertThat(file.alignment()).isEqualTo(64);
    assertThat(file.dataOffset() % 64).isZero();
    TensorInfo matrix = file.tensor("matrix").orElseThrow();
    assertThat(matrix.shape()).containsExactly(5L, 3L);
    assertThat(matrix.bytes()).isEqualTo(60);
    assertThat(matrix.offset()).isEqualTo(file.dataOffset() + 64);
    assertThat(file.tensor("scalar").orElseThrow().elements()).isEqualTo(1);
    TensorInfo quantized = file.tensor("quantized").orElseThrow();
    assertThat(quantized.bytes()).isEqualTo(288);
    assertThat(quantized.dimension(1)).isEqualTo(2);
    assertThat(quantized.dimension(3)).isEqualTo(1);
    assertThat(file.tensors()).hasSize(4);
    assertThat(file.tensors().getLast().end()).isEqualTo(file.size());
    assertThat(file.tensor("absent")).isEmpty();
  }

  @Test
  void bigArraysCrossTheWindow() {
    var texts = new String[20_000];
    for (int i = 0; i < texts.length; i++) {
      texts[i] = "token " + i;
    }
    byte[] numbers = new byte[300_000];
    numbers[299_999] = 77;
    Metadata metadata =
        new GgufBytes()
            .texts("texts", texts)
            .array("numbers", 0, numbers.length, numbers)
            .text("after", "end")
            .read(directory)
            .metadata();
    assertThat(metadata.strings("texts").orElseThrow()).containsExactly(texts);
    assertThat(metadata.array("numbers").orElseThrow().integer(299_999)).isEqualTo(77);
    assertThat(metadata.string("after")).contains("end");
  }

  @Test
  void whatIsNoFileSaysSo() throws Exception {
    assertThatThrownBy(() -> GgufFile.read(directory.resolve("absent.gguf")))
        .isInstanceOf(GgufException.class)
        .hasMessageStartingWith("no such file: ");
    assertThatThrownBy(() -> GgufFile.read(directory))
        .isInstanceOf(GgufException.class)
        .hasMessageEndingWith(" is a directory, not a GGUF file");
    Path pointer = Files.writeString(directory.resolve("lfs.gguf"), "version https://git-lfs");
    assertThatThrownBy(() -> GgufFile.read(pointer))
        .hasMessageContaining("magic is \"vers\", expected \"GGUF\" (a Git LFS pointer?");
  }
}
