/* eslint-disable */
/**
 * Generated `api` utility.
 *
 * THIS CODE IS AUTOMATICALLY GENERATED.
 *
 * To regenerate, run `npx convex dev`.
 * @module
 */

import type * as appointments from "../appointments.js";
import type * as ari from "../ari.js";
import type * as articles from "../articles.js";
import type * as clock from "../clock.js";
import type * as defaults from "../defaults.js";
import type * as errors from "../errors.js";
import type * as http from "../http.js";
import type * as leads from "../leads.js";
import type * as payments from "../payments.js";
import type * as rules from "../rules.js";
import type * as slots from "../slots.js";
import type * as webinars from "../webinars.js";
import type * as workspaces from "../workspaces.js";

import type {
  ApiFromModules,
  FilterApi,
  FunctionReference,
} from "convex/server";

declare const fullApi: ApiFromModules<{
  appointments: typeof appointments;
  ari: typeof ari;
  articles: typeof articles;
  clock: typeof clock;
  defaults: typeof defaults;
  errors: typeof errors;
  http: typeof http;
  leads: typeof leads;
  payments: typeof payments;
  rules: typeof rules;
  slots: typeof slots;
  webinars: typeof webinars;
  workspaces: typeof workspaces;
}>;

/**
 * A utility for referencing Convex functions in your app's public API.
 *
 * Usage:
 * ```js
 * const myFunctionReference = api.myModule.myFunction;
 * ```
 */
export declare const api: FilterApi<
  typeof fullApi,
  FunctionReference<any, "public">
>;

/**
 * A utility for referencing Convex functions in your app's internal API.
 *
 * Usage:
 * ```js
 * const myFunctionReference = internal.myModule.myFunction;
 * ```
 */
export declare const internal: FilterApi<
  typeof fullApi,
  FunctionReference<any, "internal">
>;

export declare const components: {};
