package org.modeltracer.llama;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** For JDK Flight Recorder: a model was loaded, and how long that took. */
@Name("modeltracer.ModelLoad")
@Label("Model Load")
@Description("A model was loaded")
@Category("ModelTracer")
@StackTrace(false)
final class ModelLoadEvent extends Event {
  @Label("Model")
  @Description("Number of the model, which the other events of ModelTracer carry")
  long model;

  @Label("File")
  String file = "";

  @Label("Weights")
  @DataAmount
  long bytes;

  @Label("Parameters")
  long parameters;

  @Label("llama.cpp")
  String version = "";

  void commit(LlamaModel loaded) {
    end();
    if (shouldCommit()) {
      model = loaded.id();
      file = loaded.file().toString();
      bytes = loaded.bytes();
      parameters = loaded.parameters();
      version = loaded.runtime().version();
      commit();
    }
  }
}
