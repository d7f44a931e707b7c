package org.modeltracer.llama.ffi;

/** Says in one line why a library, or a function of it, cannot be used. */
public final class LinkException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  LinkException(String message) {
    super(message);
  }

  LinkException(String message, Throwable cause) {
    super(message, cause);
  }
}
