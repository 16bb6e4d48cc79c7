/**
 * What the panel lends to a page that is loaded later, so that the page brings none of it along: bundle.mjs reads this
 * file and gives the page its part by its place in the list. Whatever is lent stays in the panel for everybody, so lend
 * only what the panel uses itself.
 */
import { Fragment, jsx, jsxs } from "preact/jsx-runtime";
import { useContext, useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "./icons.tsx";
import { Clock, Empty, Name, Problem, ReasonButton, SidePage, Spinner, useNow } from "./parts.tsx";
import { date, isolated, plural } from "./words.ts";

export const lent = [
  Fragment, jsx, jsxs, useContext, useEffect, useRef, useState, Icon, Clock, Empty, Name, Problem, ReasonButton, SidePage, Spinner, useNow,
  date, isolated, plural,
] as const;
