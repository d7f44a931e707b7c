package org.modeltracer.cli;

/** Entry point of the program. */
public final class Main {
  private Main() {}

  /** Prints the version. */
  public static void main(String[] args) {
    System.out.println("modeltracer " + Main.class.getPackage().getImplementationVersion());
  }
}
