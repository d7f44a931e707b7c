package org.modeltracer.gate;

import java.io.IOException;
import java.io.PrintStream;
import java.util.Arrays;
import java.util.Objects;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.process.MessageChannel;
import org.modeltracer.trace.Json;

/** Worker processes that do what no worker should, the way named by the job's file. */
final class Stray {
  private Stray() {}

  /** What it does, once it has its job. */
  enum Way {
    HANG,
    HANG_AT_ONCE,
    LEAVE_A_CHILD,
    FLOOD_STDOUT,
    FLOOD_STDERR,
    FORGE,
    LOSE_A_RESULT,
    EAT_MEMORY,
    ABORT,
    ABORT_AND_HANG,
    EXIT
  }

  public static void main(String[] arguments) throws Exception {
    var stdout = System.out;
    var parent = MessageChannel.toParent(Message.class, Job.class);
    Job job = Objects.requireNonNull(parent.next());
    Way way = Way.valueOf(job.request().file().getFileName().toString());
    if (way != Way.HANG_AT_ONCE) {
      parent.send(new Message.Begin(job.checks().getFirst()));
    }
    switch (way) {
      case HANG, HANG_AT_ONCE -> Thread.sleep(Long.MAX_VALUE);
      case LEAVE_A_CHILD -> leaveAChild();
      case FLOOD_STDOUT -> flood(stdout);
      case FLOOD_STDERR -> flood(System.err);
      case FORGE -> forge(stdout, job);
      case LOSE_A_RESULT -> parent.send(new Message.End());
      case EAT_MEMORY -> eat();
      case ABORT -> {
        parent.send(new Message.LastWords("ops.cpp:1: GGML_ASSERT(good) failed"));
        new ProcessBuilder("kill", "-KILL", "" + ProcessHandle.current().pid()).start().waitFor();
      }
      case ABORT_AND_HANG -> {
        parent.send(new Message.LastWords("ops.cpp:1: GGML_ASSERT(good) failed"));
        Thread.sleep(Long.MAX_VALUE);
      }
      case EXIT -> {
        System.err.println("terminate called after throwing an instance of 'std::bad_alloc'");
        System.exit(7);
      }
    }
  }

  private static void leaveAChild() throws IOException, InterruptedException {
    new ProcessBuilder("sleep", "30").inheritIO().start();
    Thread.sleep(300);
    Runtime.getRuntime().halt(9);
  }

  private static void flood(PrintStream stream) {
    byte[] noise = new byte[1 << 16];
    Arrays.fill(noise, (byte) 'x');
    while (true) {
      stream.write(noise, 0, noise.length);
    }
  }

  /** Native code that prints what looks like a message, without the word of this job. */
  private static void forge(PrintStream stdout, Job job) {
    for (String id : job.checks()) {
      var result = CheckResult.of(id, Verdict.PASS, "forged");
      var message =
          Json.mapper().writerFor(Message.class).writeValueAsString(new Message.Result(result));
      stdout.println("@word" + message);
    }
    stdout.println("{\"type\":\"End\"}");
    stdout.flush();
    Runtime.getRuntime().halt(0);
  }

  private static void eat() {
    byte[][] all = new byte[1000][];
    for (int i = 0; i < all.length; i++) {
      all[i] = new byte[1 << 20];
      Arrays.fill(all[i], (byte) i);
    }
    throw new IllegalStateException("still here with " + all.length);
  }

  /** A program that judges a file and goes down with its worker still at work. */
  static final class Parent {
    private Parent() {}

    public static void main(String[] arguments) {
      System.out.println("judging");
      SupervisorTest.stray(Way.HANG, Policies.PATIENT);
    }
  }
}
