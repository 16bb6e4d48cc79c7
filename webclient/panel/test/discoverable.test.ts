import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakePanel } from "./fakes/panel.ts";

describe("the text that is agreed to", () => {
  for (const [discoverable, version] of [[false, 1], [true, 3]] as const) {
    it(`is version ${version} where the server ${discoverable ? "tells others more" : "hides people"}`, async () => {
      const p = new FakePanel();
      Object.assign(p.consent, { decided: false, presence: "nobody", typing: false, receipts: false, text_version: 0, discoverable });
      await p.start();
      p.app.actions.addressSeen();
      assert.equal(p.state.consent.discoverable, discoverable);
      p.app.actions.draftConsent({ presence: "nobody" });
      p.app.actions.saveConsent();
      await p.env.advance(100);
      assert.deepEqual([p.state.screen.kind, p.consent.text_version, p.state.consent.discoverable], ["people", version, discoverable]);
    });
  }
});
