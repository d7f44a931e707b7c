package org.modeltracer.testing;

import com.networknt.schema.Error;
import com.networknt.schema.InputFormat;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import java.io.InputStream;
import java.util.List;
import org.modeltracer.trace.ModelTracer;

/** The schema that every summary must obey. */
public final class SummarySchema {
  private static final Schema SCHEMA = load();

  private SummarySchema() {}

  private static Schema load() {
    InputStream resource = ModelTracer.class.getResourceAsStream("summary.schema.json");
    return SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12)
        .getSchema(resource);
  }

  /** What is wrong with a summary; empty when it is valid. */
  public static List<Error> errors(String summary) {
    return SCHEMA.validate(summary, InputFormat.JSON);
  }
}
