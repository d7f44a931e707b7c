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
   * A function that reads a field or two and returns. Its thread does not leave the virtual
   * machine's reach, which is quicker, and nothing may wait or call back in it.
   */
  final CFunction getter(String name, String signature) {
    return new CFunction(library, name, signature, Linker.Option.critical(false));
  }
}
