package org.modeltracer.llama.ffi;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A llama.cpp shared library with the ggml libraries beside it.
 *
 * <p>Libraries stay loaded until the process ends: llama.cpp keeps threads and callbacks that
 * unloading would pull the ground from under.
 */
@SuppressWarnings("restricted")
public final class NativeLibrary {
  /** Room for any generation's parameter struct, passed by value; only a prefix is ever used. */
  public static final long PARAMS_BYTES = 512;

  /** Bytes of {@code llama_batch}, passed by value. */
  public static final long BATCH_BYTES = 56;

  private static final MemoryLayout PARAMS =
      MemoryLayout.structLayout(
          MemoryLayout.sequenceLayout(PARAMS_BYTES / 8, ValueLayout.JAVA_LONG));
  private static final MemoryLayout BATCH =
      MemoryLayout.structLayout(
          MemoryLayout.sequenceLayout(BATCH_BYTES / 8, ValueLayout.JAVA_LONG));
  private static final MemoryLayout THREE_WORDS =
      MemoryLayout.structLayout(MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG));
  private static final Map<Path, NativeLibrary> LOADED = new HashMap<>();
  private static final Map<Path, Path> GGML = new HashMap<>();

  private final Path path;
  private final SymbolLookup symbols;

  private NativeLibrary(Path path, SymbolLookup symbols) {
    this.path = path;
    this.symbols = symbols;
  }

  /** Loads the library at {@code path}, once per process. */
  public static synchronized NativeLibrary load(Path path) {
    return LOADED.computeIfAbsent(path, NativeLibrary::open);
  }

  private static NativeLibrary open(Path path) {
    // Must be in the environment before ggml is loaded: it reads it in a static initializer.
    Environment.set("GGML_NO_BACKTRACE", "1");
    List<Path> ggml = ggmlBeside(path);
    refuseSecond(path, ggml);
    try {
      SymbolLookup lookup = SymbolLookup.libraryLookup(path, Arena.global());
      for (Path sibling : ggml) {
        lookup = lookup.or(SymbolLookup.libraryLookup(sibling, Arena.global()));
      }
      return new NativeLibrary(path, lookup);
    } catch (IllegalArgumentException e) {
      throw new LinkException(
          "cannot load "
              + path
              + ": not a shared library for this platform, or one it needs is missing",
          e);
    }
  }

  /**
   * The system's loader knows a library by its file name, and would give one build's to another.
   */
  private static void refuseSecond(Path path, List<Path> ggml) {
    for (Path file : ggml) {
      Path loaded = GGML.get(file.getFileName());
      if (loaded != null && !loaded.equals(file)) {
        throw new LinkException(
            "cannot load "
                + path
                + ": this process already has another build's "
                + loaded
                + "; use a process for each");
      }
    }
    ggml.forEach(file -> GGML.put(file.getFileName(), file));
  }

  private static List<Path> ggmlBeside(Path path) {
    var found = new ArrayList<Path>();
    Path folder = path.toAbsolutePath().getParent();
    if (folder == null) {
      return found;
    }
    try (Stream<Path> files = Files.list(folder)) {
      files
          .filter(
              f -> {
                String name = f.getFileName().toString().toLowerCase(Locale.ROOT);
                return name.matches(
                    "(lib)?ggml(-base)?(\\.[a-z]+)?(\\.[bv]?[0-9.]+)?\\.(so|dylib|dll)([.0-9]*)");
              })
          .forEach(found::add);
    } catch (IOException e) {
      return found;
    }
    Collections.sort(found);
    return found;
  }

  /** File the library was loaded from. */
  public Path path() {
    return path;
  }

  /** Whether a symbol is exported. */
  public boolean has(String name) {
    return symbols.find(name).isPresent();
  }

  /** Address of an exported symbol, 0 when there is none. */
  public long address(String name) {
    return symbols.find(name).map(MemorySegment::address).orElse(0L);
  }

  /** Reads an exported 32-bit integer variable. */
  public Optional<Integer> intVariable(String name) {
    return symbols.find(name).map(s -> s.reinterpret(4).get(ValueLayout.JAVA_INT, 0));
  }

  /**
   * A function of the library.
   *
   * @param signature one letter a parameter, then a colon and the result: {@code i} int32, {@code
   *     l} int64 or size_t, {@code p} pointer, {@code f} float, {@code b} bool, {@code v} void,
   *     {@code P} parameter struct by value, {@code B} batch by value, {@code T} a struct of three
   *     words by value
   * @throws LinkException when the library lacks it
   */
  MethodHandle link(String name, String signature, Linker.Option... options) {
    MemorySegment symbol =
        symbols
            .find(name)
            .orElseThrow(
                () ->
                    new LinkException(
                        path
                            + " does not export "
                            + name
                            + ": not a llama.cpp this version knows"));
    return handle(symbol, signature, options);
  }

  /** A function at an address, such as one that a backend registry hands out. */
  static MethodHandle link(long address, String signature) {
    return handle(MemorySegment.ofAddress(address), signature);
  }

  private static MethodHandle handle(
      MemorySegment symbol, String signature, Linker.Option... options) {
    return Linker.nativeLinker().downcallHandle(symbol, descriptor(signature), options);
  }

  static FunctionDescriptor descriptor(String signature) {
    int colon = signature.indexOf(':');
    MemoryLayout[] parameters =
        signature
            .substring(0, colon)
            .chars()
            .mapToObj(NativeLibrary::layout)
            .toArray(MemoryLayout[]::new);
    char result = signature.charAt(colon + 1);
    return result == 'v'
        ? FunctionDescriptor.ofVoid(parameters)
        : FunctionDescriptor.of(layout(result), parameters);
  }

  private static MemoryLayout layout(int letter) {
    return switch (letter) {
      case 'i' -> ValueLayout.JAVA_INT;
      case 'l', 'p' -> ValueLayout.JAVA_LONG;
      case 'f' -> ValueLayout.JAVA_FLOAT;
      case 'b' -> ValueLayout.JAVA_BOOLEAN;
      case 'P' -> PARAMS;
      case 'B' -> BATCH;
      case 'T' -> THREE_WORDS;
      default -> throw new IllegalArgumentException("no layout for '" + (char) letter + "'");
    };
  }

  /** What a call that can only fail by a bug of ours turns into. */
  public static RuntimeException unexpected(Throwable failure) {
    if (failure instanceof Error error) {
      throw error;
    }
    return failure instanceof RuntimeException runtime
        ? runtime
        : new IllegalStateException(failure);
  }
}
