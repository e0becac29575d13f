/** Client of ionet's market program: generated from its IDL, and the little that an IDL cannot
 * say. */
export * from "./generated";
export * from "./accounts";
export * from "./addresses";
export * from "./clock";
export * from "./errors";
export * from "./events";
export * from "./statements";
