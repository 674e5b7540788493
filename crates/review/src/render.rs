//! A bundle as people read it: Markdown in English, made from the compiled rules alone.
//!
//! It says what the rules let through, for whom, how coarse, how long, on what ground, and what
//! of it no notice states. It ends with the bundle's hash, so that a published text can be held
//! against the rules that run.

mod words;

use std::fmt::Write as _;
use vernport_policy::{
    Agreement, Flow, Form, Message, MessageClass, Proof, Recipient, Right, Rules, Sampling, ServedWhen,
    Window,
};
use vernport_types::{Catalogue, LegalBasis, UtcMicros};
use words::{all, basis, category, clauses, identification, minimised, period, plain, role, start};

/// The rendering of a bundle.
pub fn render(rules: &Rules, catalogue: &Catalogue) -> String {
    let mut page = Page { rules, catalogue, text: String::new() };
    page.controller();
    page.notices();
    page.purposes();
    page.flows();
    page.recipients();
    page.retention();
    page.consents();
    page.messages();
    page.rights();
    page.assumed();
    page.foot();
    page.text
}

struct Page<'a> {
    rules: &'a Rules,
    catalogue: &'a Catalogue,
    text: String,
}

impl Page<'_> {
    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    fn heading(&mut self, heading: &str) {
        let _ = write!(self.text, "\n## {heading}\n\n");
    }

    fn row(&mut self, cells: &[String]) {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        self.line(format!("| {} |", cells.join(" | ")));
    }

    fn table(&mut self, head: &[&str]) {
        self.row(&head.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>());
        self.line(format!("|{}", "---|".repeat(head.len())));
    }

    fn controller(&mut self) {
        let info = self.rules.controller_info();
        self.line(format!("# What {} does with data of vehicles", plain(&info.name)));
        self.line("");
        let role = match info.role {
            vernport_policy::ControllerRole::Controller => "is the controller",
            vernport_policy::ControllerRole::JointController => "decides together with others",
        };
        self.line(format!(
            "{} ({}) {role}. The law of {} holds. {}",
            plain(&info.name),
            info.id,
            info.jurisdiction,
            clauses(&info.clauses)
        ));
        let regions = all(&info.regions);
        let elsewhere = match info.elsewhere {
            vernport_policy::Elsewhere::Never => "Nobody elsewhere receives anything.",
            vernport_policy::Elsewhere::WithTool => {
                "Recipients elsewhere receive only with a tool that the GDPR allows for transfers."
            }
        };
        self.line("");
        self.line(format!("Recipients are in {regions}. {elsewhere}"));
        if info.attested {
            self.line("Everybody with an agreement attests again and again that it is kept.");
        }
        if let Some(day) = info.review_by {
            self.line(format!("The rules are looked at again before {}.", self.day(day)));
        }
        if let Some(hosting) = self.rules.hosting() {
            let by =
                hosting.processor.as_ref().map_or_else(String::new, |by| format!(", run by {}", plain(by)));
            let agreed = hosting
                .agreement
                .as_ref()
                .map_or_else(String::new, |agreed| format!(", by the agreement {}", self.agreed(agreed)));
            self.line("");
            self.line(format!(
                "Store, broker and backups stand in {}{by}{agreed}. {}",
                all(&hosting.regions),
                clauses(&hosting.clauses)
            ));
        }
    }

    fn notices(&mut self) {
        self.heading("What the notice lists");
        self.table(&["Version", "Counts as served", "Categories", "Taken from", "Clauses"]);
        for notice in self.rules.notices() {
            let served = match notice.served_when {
                ServedWhen::Recorded => "when it is published and recorded",
                ServedWhen::Told => "when everybody linked to the vehicle was told",
            };
            self.row(&[
                format!("`{}`", notice.version),
                served.into(),
                all(notice.categories.iter().map(|listed| category(*listed))),
                all(notice.sources.iter()),
                clauses(&notice.clauses),
            ]);
        }
        self.line("");
        self.line("What no version lists does not leave the gateway, not even sealed.");
    }

    fn purposes(&mut self) {
        self.heading("Why");
        self.table(&["Purpose", "Ground", "Why the data is needed", "Clauses"]);
        for purpose in self.rules.purposes() {
            let mut ground = basis(purpose.basis).to_owned();
            for (name, said) in [("statute", &purpose.statute), ("balancing", &purpose.balancing)] {
                if let Some(said) = said {
                    let _ = write!(ground, "; {name}: {}", plain(said));
                }
            }
            let marks = [
                (purpose.marketing, "marketing: an objection ends it at once"),
                (purpose.profiling, "profiling: an objection ends it at once"),
                (purpose.required_for_contract, "without it there is no contract"),
                (purpose.internal_administration, "internal administration"),
            ];
            for (_, mark) in marks.iter().filter(|(holds, _)| *holds) {
                let _ = write!(ground, "; {mark}");
            }
            if let Some(may) = &purpose.categories {
                let _ =
                    write!(ground, "; of no other data than {}", all(may.iter().map(|may| category(*may))));
            }
            self.row(&[
                format!("{} (`{}`)", purpose.slug, purpose.iri.replace("https://w3id.org/dpv#", "dpv:")),
                ground,
                plain(&purpose.necessity),
                clauses(&purpose.clauses),
            ]);
        }
    }

    fn flows(&mut self) {
        self.heading("What is taken");
        if self.rules.flows().is_empty() {
            self.line("Nothing is taken from vehicles.");
        }
        for flow in self.rules.flows() {
            self.flow(flow);
        }
        let identify = self.rules.identify();
        if !identify.is_empty() {
            let signals = identify.iter().map(|id| format!("`{}`", self.catalogue.signal(*id).path));
            let what = all(signals);
            self.line("");
            self.line(format!(
                "To recognise a vehicle that somebody waits for, {what} is read, compared on the spot, kept in \
                 memory only and given to nobody."
            ));
        }
    }

    fn flow(&mut self, flow: &Flow) {
        let recipient = self.rules.recipient(&flow.recipient);
        let name = recipient.map_or_else(|| flow.recipient.to_string(), |r| plain(&r.name));
        self.line(format!("\n### {}: {} for {name}\n", flow.slug, flow.purpose));
        self.line(format!("- {}. {}", when(flow), clauses(&flow.clauses)));
        self.line(format!("- On the ground of {}.", basis(flow.basis)));
        if flow.basis == LegalBasis::Consent {
            let roles = all(flow.roles.iter().map(|held| role(*held)));
            self.line(format!("- Of each of these at least one, and all of them, have to consent: {roles}."));
        } else if !flow.roles.is_empty() {
            let roles = all(flow.roles.iter().map(|held| role(*held)));
            self.line(format!("- Somebody has to be known as {roles}."));
        }
        if flow.account {
            self.line("- Its owner or orderer has to have an account.");
        }
        if !flow.grounds.is_empty() {
            let grounds = all(flow.grounds.iter().map(|ground| words::disclosed(*ground)));
            self.line(format!("- It may be disclosed because of {grounds}."));
        }
        if flow.private_mode {
            self.line("- Private trips are left out.");
        }
        self.line(format!("- Taken from: {}.", all(flow.sources.iter())));
        if let Some(seconds) = flow.lease_seconds {
            let heard = words::seconds(i64::from(seconds) * 1_000_000);
            self.line(format!("- It ends by itself when central was not heard for {heard}."));
        }
        self.line(format!("- The vehicle is recognised by {} or better.", identification(flow.weakest)));
        match flow.sampling {
            Sampling::Every => {}
            Sampling::PerOrder => self.line("- Each value is taken once for each work order."),
            Sampling::Interval(micros) => {
                self.line(format!("- Each value is taken at most once in {}.", words::seconds(micros)));
            }
        }
        if flow.time_step_micros > 0 {
            self.line(format!("- Times are cut down to {}.", words::seconds(flow.time_step_micros)));
        }
        let topic = flow.deliver.topic.as_ref().map(|topic| topic.payload);
        self.line(format!("- It goes {}.", words::delivered(flow.deliver.store, topic)));
        self.line(format!(
            "- It is kept {}, at most {} after the reading (`{}`).\n",
            kept(&flow.retention.period.to_string(), flow.retention.start.as_str()),
            period(&flow.retention.at_most.to_string()),
            flow.retention.rule
        ));
        self.table(&["Signal", "Category", "What is passed on"]);
        for (id, minimiser) in &flow.signals {
            let signal = self.catalogue.signal(*id);
            let unit = &signal.unit;
            self.row(&[
                format!("`{}`", signal.path),
                category(signal.category).into(),
                minimised(*minimiser, unit),
            ]);
        }
    }

    fn recipients(&mut self) {
        self.heading("Who receives");
        self.table(&["Recipient", "Role", "Where", "Agreement", "Transfer", "Clauses"]);
        for recipient in self.rules.recipients() {
            self.row(&[
                format!("{} (`{}`)", plain(&recipient.name), recipient.slug),
                recipient.role.to_string(),
                recipient.region.clone(),
                recipient.agreement.as_ref().map_or("none needed".into(), |agreed| self.agreed(agreed)),
                self.transfer(recipient),
                clauses(&recipient.clauses),
            ]);
        }
    }

    /// The general schedule of deletion (CSPE-4.2.2).
    fn retention(&mut self) {
        self.heading("How long it is kept");
        self.table(&["Rule", "Kept", "At most", "Because of", "Data", "Clauses"]);
        for rule in self.rules.retentions() {
            let flows = self.rules.flows().iter().filter(|flow| flow.retention.rule == rule.slug);
            let mut data: Vec<&str> =
                flows.flat_map(|flow| flow.categories.iter().map(|listed| category(*listed))).collect();
            data.sort_unstable();
            data.dedup();
            let beside = all(rule.categories.iter().map(|listed| category(*listed)));
            let beside = if rule.categories.is_empty() { beside } else { format!("; beside flows {beside}") };
            self.row(&[
                format!("`{}`{}", rule.slug, if rule.assumed { " (assumed)" } else { "" }),
                kept(&rule.period.to_string(), rule.start.as_str()),
                format!("{} after the reading", period(&rule.at_most.to_string())),
                rule.ground.to_string(),
                if data.is_empty() { "nothing of vehicles".into() } else { all(data) } + &beside,
                clauses(&rule.clauses),
            ]);
        }
        let rules = self.rules;
        if !rules.holds().is_empty() {
            self.line("\nDeletion can be put off, never for longer than this:\n");
            self.table(&["Because of", "At most", "Clauses"]);
            for hold in rules.holds() {
                self.row(&[
                    words::hold(hold.ground).into(),
                    period(&hold.at_most.to_string()),
                    clauses(&hold.clauses),
                ]);
            }
        }
    }

    fn consents(&mut self) {
        let rules = self.rules;
        if rules.forms().is_empty() {
            return;
        }
        self.heading("What is asked");
        for form in rules.forms() {
            self.form(form);
        }
        self.line(
            "\nEach consent can be withdrawn at any time, by the code on its receipt; that takes one step.",
        );
    }

    fn form(&mut self, form: &Form) {
        self.line(format!(
            "\n### {}\n\nFor {}, to {}: {}. Valid {}. {}\n",
            form.slug,
            form.purpose,
            form.recipient,
            all(form.categories.iter().map(|listed| category(*listed))),
            period(&form.valid.to_string()),
            clauses(&form.clauses)
        ));
        for (language, text) in &form.texts {
            self.line(format!("> **{language}**: {}", plain(text.trim())));
            self.line(">");
        }
    }

    fn messages(&mut self) {
        let rules = self.rules;
        if rules.messages().is_empty() {
            return;
        }
        self.heading("What people are sent");
        self.table(&["Message", "Kind", "With", "Sent", "Clauses"]);
        for message in rules.messages() {
            self.row(&[
                format!("`{}`", message.slug),
                message.class.to_string(),
                all(message.categories.iter().map(|used| category(*used))),
                sent(message),
                clauses(&message.clauses),
            ]);
        }
    }

    fn rights(&mut self) {
        self.heading("What people may ask");
        self.table(&["Right", "Answered within", "Who asks has to be", "Stated in"]);
        for right in Right::ALL {
            let rule = self.rules.right(*right);
            let proof = match rule.identity {
                Proof::Known => "known to whoever takes the request",
                Proof::Official => "shown by an official document",
            };
            let stated = if rule.clauses.is_empty() { "the law".into() } else { clauses(&rule.clauses) };
            self.row(&[
                words::right(*right).into(),
                period(&rule.deadline.to_string()),
                proof.into(),
                stated,
            ]);
        }
        self.line("\nA complaint to the supervisory authority is possible at any time.");
    }

    fn assumed(&mut self) {
        let rules = self.rules;
        self.heading("What no notice states");
        let assumed: Vec<_> = rules.paths().iter().filter(|rule| rule.assumed).collect();
        let told = |path: &str| !path.contains(".signals.");
        if assumed.is_empty() && !rules.parameters().iter().any(|parameter| parameter.assumed) {
            self.line("Nothing: every rule stands in the notice.");
            return;
        }
        self.line("These rules are assumed until the controller states them:\n");
        for rule in assumed.iter().filter(|rule| told(&rule.path)) {
            self.line(format!("- `{}` {}", rule.path, clauses(&rule.clauses)));
        }
        for parameter in rules.parameters().iter().filter(|parameter| parameter.assumed) {
            self.line(format!("- `${}` = {}", parameter.name, plain(&parameter.value)));
        }
    }

    fn transfer(&self, recipient: &Recipient) -> String {
        match &recipient.transfer {
            None => "none needed".into(),
            Some(transfer) => {
                let (reference, until) = (plain(&transfer.reference), self.day(transfer.until));
                format!("{} ({reference}), until {until}", transfer.tool)
            }
        }
    }

    /// From the first day until before the second one.
    fn agreed(&self, agreement: &Agreement) -> String {
        let attested = agreement
            .attested_until
            .map_or_else(String::new, |until| format!(", attested until {}", self.day(until)));
        let assumed = if agreement.assumed { ", assumed" } else { "" };
        let (from, until) = (self.day(agreement.from), self.day(agreement.until));
        format!("{} (from {from} until {until}{attested}{assumed})", plain(&agreement.id))
    }

    /// The day that begins at a time, at the controller.
    fn day(&self, at: UtcMicros) -> String {
        jiff::Timestamp::from_microsecond(at.0).map_or_else(
            |_| "the end of time".into(),
            |at| at.to_zoned(self.rules.zone().clone()).strftime("%Y-%m-%d").to_string(),
        )
    }

    fn foot(&mut self) {
        let hash: String = self.rules.hash().iter().map(|byte| format!("{byte:02x}")).collect();
        self.line(format!("\n---\n\nMade from the bundle `{}`, SHA-256 `{hash}`.", self.rules.name()));
    }
}

fn when(flow: &Flow) -> String {
    let window = match flow.window {
        Window::Order => "Taken only while a work order is open",
        Window::Link => "Taken as long as the vehicle is linked to the controller",
        Window::Account => "Taken as long as the owner or orderer has an account",
        Window::Disclosure => "Taken only while a disclosure is approved by two people",
    };
    let told = format!("{window}, and not before notice `{}` is served", flow.notice);
    if flow.offline { format!("{told}; the station alone may open it") } else { told }
}

fn kept(iso: &str, from: &str) -> String {
    format!("{} after {}", period(iso), start(from))
}

fn sent(message: &Message) -> String {
    let how = match (message.class, &message.form) {
        (MessageClass::Administrative, _) => "whatever was objected to".to_owned(),
        (MessageClass::Marketing, Some(form)) => format!("with consent (`{form}`)"),
        (MessageClass::Marketing, None) => "to existing customers about similar goods".to_owned(),
    };
    if message.opt_out { format!("{how}; each says how to get no more") } else { how }
}
