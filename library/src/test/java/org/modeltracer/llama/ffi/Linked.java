package org.modeltracer.llama.ffi;

import java.lang.invoke.MethodHandle;

/** Functions that only tests call. */
public final class Linked {
  private Linked() {}

  public static MethodHandle function(NativeLibrary library, String name, String signature) {
    return library.link(name, signature);
  }
}
