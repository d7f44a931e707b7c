package org.modeltracer.gguf;

import org.modeltracer.model.CutText;

/** A metadata value. */
public sealed interface Value permits Value.Int, Value.Real, Value.Bool, Value.Text, ArrayValue {
  /** Type of the value as written in the file. */
  ValueType type();

  /**
   * A whole number.
   *
   * @param type one of the eight integer types
   * @param value the number; a {@code uint64} over 2^63 − 1 appears negative
   */
  record Int(ValueType type, long value) implements Value {
    @Override
    public String toString() {
      return type == ValueType.UINT64 ? Long.toUnsignedString(value) : Long.toString(value);
    }
  }

  /**
   * A floating-point number.
   *
   * @param type {@code float32} or {@code float64}
   * @param value the number, widened
   */
  record Real(ValueType type, double value) implements Value {
    @Override
    public String toString() {
      return type == ValueType.FLOAT32 ? Float.toString((float) value) : Double.toString(value);
    }
  }

  /** A truth value. */
  record Bool(boolean value) implements Value {
    @Override
    public ValueType type() {
      return ValueType.BOOL;
    }

    @Override
    public String toString() {
      return Boolean.toString(value);
    }
  }

  /**
   * A text; bytes that are not UTF-8 appear as U+FFFD.
   *
   * @param value the text; where it is longer than {@link #LONGEST} bytes, as it is shown
   * @param bytes its length in the file
   */
  record Text(String value, long bytes) implements Value {
    /** A text of more bytes is not held. */
    public static final int LONGEST = 1 << 20;

    @Override
    public ValueType type() {
      return ValueType.STRING;
    }

    /** The text, its beginning where it is long: see {@link CutText}. */
    @Override
    public String toString() {
      return bytes > LONGEST ? value : CutText.of(value);
    }
  }
}
