package org.modeltracer.attach;

import org.jspecify.annotations.Nullable;

/** Records of an agent, in the order of {@code enum record_type} in {@code channel.h}. */
enum RecordType {
  HELLO,
  SURVEY,
  DECODE,
  PASS,
  VALUE,
  CHUNK,
  PASS_END,
  DECODE_END,
  NOTE,
  MEMORY,
  INPUT;

  private static final int FIRST = 2;

  /** Its number. */
  int number() {
    return FIRST + ordinal();
  }

  /** The type of a number, or null. */
  static @Nullable RecordType of(int number) {
    RecordType[] all = values();
    return number >= FIRST && number < FIRST + all.length ? all[number - FIRST] : null;
  }
}
