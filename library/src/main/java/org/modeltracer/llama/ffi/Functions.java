package org.modeltracer.llama.ffi;

import java.lang.foreign.Linker;

/** The functions of a header as a library has them, each declared beside the method it is. */
abstract class Functions {
  final NativeLibrary library;

  Functions(NativeLibrary library) {
    this.library = library;
  }

  /** A function that may take its time, or call back. */
  final CFunction function(String name, String signature) {
    return new CFunction(library, name, signature);
  }

  /**
   * A function that reads a field or two and returns: the thread stays in its Java state, which
   * makes the call cheaper, so the function must neither wait nor call back.
   */
  final CFunction getter(String name, String signature) {
    return new CFunction(library, name, signature, Linker.Option.critical(false));
  }
}
