// Asks the browser for a passkey and sends its answer with the form. Without this
// script the forms stay hidden, and the other ways to sign in remain.
"use strict";
(() => {
  const octets = (s) => Uint8Array.from(atob(s.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (b) => b && btoa(Array.from(new Uint8Array(b), (c) => String.fromCharCode(c)).join("")).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
  const listed = (all) => (all || []).map((c) => ({ ...c, id: octets(c.id) }));

  async function ask(form) {
    const o = JSON.parse(form.dataset.passkey);
    o.challenge = octets(o.challenge);
    const create = "create" in form.dataset;
    if (create) {
      o.user.id = octets(o.user.id);
      o.excludeCredentials = listed(o.excludeCredentials);
    } else {
      o.allowCredentials = listed(o.allowCredentials);
    }
    const c = create ? await navigator.credentials.create({ publicKey: o }) : await navigator.credentials.get({ publicKey: o });
    const r = c.response;
    return {
      id: c.id, rawId: text(c.rawId), type: c.type, clientExtensionResults: c.getClientExtensionResults(),
      authenticatorAttachment: c.authenticatorAttachment || undefined,
      response: create
        ? { clientDataJSON: text(r.clientDataJSON), attestationObject: text(r.attestationObject), transports: r.getTransports ? r.getTransports() : [] }
        : { clientDataJSON: text(r.clientDataJSON), authenticatorData: text(r.authenticatorData), signature: text(r.signature), userHandle: text(r.userHandle) || undefined },
    };
  }

  if (!window.PublicKeyCredential) return;
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    const failed = form.querySelector("[data-failed]");
    form.addEventListener("submit", async (e) => {
      e.preventDefault();
      failed.hidden = true;
      try {
        form.querySelector("[data-response]").value = JSON.stringify(await ask(form));
        form.submit();
      } catch {
        failed.hidden = false;
      }
    });
  }
})();
