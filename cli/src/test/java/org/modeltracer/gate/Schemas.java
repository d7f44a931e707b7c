package org.modeltracer.gate;

import com.networknt.schema.Error;
import com.networknt.schema.InputFormat;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import java.util.List;
import java.util.Objects;

/** The schemas that ship with the program. */
public final class Schemas {
  public static final Schema POLICY = of(Gate.class, "policy/policy.schema.json");
  public static final Schema CHECK = of(Gate.class, "check.schema.json");

  private Schemas() {}

  /** What is wrong with a JSON text; empty when it is valid. */
  public static List<Error> errors(Schema schema, String json) {
    return schema.validate(json, InputFormat.JSON);
  }

  /** The schema that lies beside a class. */
  public static Schema of(Class<?> beside, String resource) {
    return SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12)
        .getSchema(Objects.requireNonNull(beside.getResourceAsStream(resource), resource));
  }
}
