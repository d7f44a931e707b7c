package org.modeltracer.gguf;

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

  /** A text; bytes that are not UTF-8 appear as U+FFFD. */
  record Text(String value) implements Value {
    @Override
    public ValueType type() {
      return ValueType.STRING;
    }

    @Override
    public String toString() {
      return value;
    }
  }
}
