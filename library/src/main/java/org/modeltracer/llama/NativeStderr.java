package org.modeltracer.llama;

import org.modeltracer.llama.ffi.Descriptors;

/** Standard error as native code and Java have it. */
public final class NativeStderr {
  private NativeStderr() {}

  /** Makes a descriptor the standard error of this process, and closes it. */
  public static void become(int descriptor) {
    Descriptors.becomeStandardError(descriptor);
  }
}
