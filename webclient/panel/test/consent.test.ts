/** What is known of a change of consent; the settings say it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { json } from "./fakes/env.ts";
import { FakePanel } from "./fakes/panel.ts";

describe("a change of consent", () => {
  it("that does not hold everywhere yet is known as that, and only that", async () => {
    const p = await new FakePanel().start();
    const told: boolean[] = [];
    for (const pending of [false, true]) {
      p.app.actions.go("settings");
      p.env.routes.set("PUT /api/v1/consent", (body) => json({ ...p.consent, ...(body as object), decided: true, pending }));
      p.app.actions.draftConsent({ typing: pending });
      p.app.actions.saveConsent();
      await p.env.advance(100);
      told.push(p.state.consent.pending);
    }
    assert.deepEqual(told, [false, true]);
  });
});
