package policy

import "strings"

const (
	tune = "http://jabber.org/protocol/tune"
	mds  = "urn:xmpp:mds:displayed:0"
)

// owns is a request of a node's owner, makes one that makes it.
func owns(do string) string {
	return "<iq type='set' id='o'><pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>" + do + "</pubsub></iq>"
}

func makes(do string) string {
	return "<iq type='set' id='o'><pubsub xmlns='http://jabber.org/protocol/pubsub'>" + do + "</pubsub></iq>"
}

// form is what stands in publish options, or in a configuration.
func form(attrs, fields string) string {
	return "<x xmlns='jabber:x:data'" + attrs + ">" + fields + "</x>"
}

func publishOptions(content string) string {
	return "<publish-options>" + content + "</publish-options>"
}

const submit = " type='submit'"

// pepCases are the ways in which somebody could have activity told to contacts under the name of a private node.
var pepCases = func() (cases []ruleCase) {
	for _, fields := range []string{
		formType + onlyMe,
		onlyMe + formType,
		formType + "<field var='pubsub#access_model' type='list-single'><value>whitelist</value></field>",
		formType + "<field var='pubsub#persist_items'><value>true</value></field>" + onlyMe + "<field var='pubsub#max_items'><value>max</value></field>",
		formType + "<field var='pubsub#access_model'><value><![CDATA[white]]>list</value></field>",
	} {
		cases = append(cases,
			ruleCase{rule: "", in: publish("urn:example:made-up", publishOptions(form(submit, fields))), want: passes},
			ruleCase{rule: "iq-shown", in: publish(mds, publishOptions(form(submit, fields))), want: passes, consent: contacts})
	}
	for _, ignored := range notPrivate() {
		cases = append(cases,
			ruleCase{rule: "iq-activity", in: publish(tune, ignored), want: refuses},
			ruleCase{rule: "iq-read-state", in: publish(mds, ignored), want: refuses, consent: contacts})
	}
	private := options(onlyMe)
	for _, do := range []string{
		"<retract node='" + tune + "' notify='true'><item id='1'/></retract>" + private,
		"<purge node='" + tune + "'/>" + private,
		"<delete node='" + tune + "'/>" + private,
		"<publish node='" + tune + "'><item/></publish><retract node='" + tune + "'><item id='1'/></retract>" + private,
		"<other xmlns='urn:x'/><publish node='" + tune + "'><item/></publish>" + private,
	} {
		cases = append(cases,
			ruleCase{rule: "iq-activity", in: makes(do), want: refuses},
			ruleCase{rule: "iq-activity", in: owns(strings.ReplaceAll(do, "<publish-options>", "<publish-options xmlns='http://jabber.org/protocol/pubsub'>")), want: refuses},
			ruleCase{rule: "iq-read-state", in: makes(strings.ReplaceAll(do, tune, mds)), want: refuses, consent: contacts})
	}
	return append(cases, nodeCases()...)
}()

// notPrivate lists publish options that a server does not read as those of a private node.
func notPrivate() []string {
	field := func(content string) string {
		return options("<field var='pubsub#access_model'>" + content + "</field>")
	}
	inForm := func(attrs, fields string) string { return publishOptions(form(attrs, fields)) }
	return []string{
		// What is called a field, a value, a form or options and is none.
		options("<other var='pubsub#access_model'><value>whitelist</value></other>"),
		options("<field xmlns='urn:x' var='pubsub#access_model'><value xmlns='jabber:x:data'>whitelist</value></field>"),
		field("<other>whitelist</other>"),
		field("<value xmlns='urn:x'>whitelist</value>"),
		field("<value>white<b/>list</value>"),
		field("<value> whitelist</value>"),
		field("<value>open</value>"),
		field(""),
		options("<reported><field var='pubsub#access_model'/></reported>" + onlyMe),
		inForm(" type='cancel'", formType+onlyMe),
		inForm(" type='form'", formType+onlyMe),
		inForm("", formType+onlyMe),
		publishOptions("<x xmlns='urn:x' type='submit'>" + formType + onlyMe + "</x>"),
		strings.Replace(options(onlyMe), "<publish-options", "<publish-options xmlns='urn:x'", 1),
		// More than one, of which a server reads the first, or the last.
		options(onlyMe + onlyMe),
		field("<value>whitelist</value><value>open</value>"),
		inForm(submit, formType+formType+onlyMe),
		publishOptions(form(submit, formType+onlyMe) + form(submit, formType)),
		options(onlyMe) + options(""),
		options("") + options(onlyMe),
		// Options for something else.
		inForm(submit, onlyMe),
		inForm(submit, strings.Replace(formType, "publish-options", "node_config", 1)+onlyMe),
		strings.NewReplacer("<publish-options", "<configure", "/publish-options", "/configure").Replace(options(onlyMe)),
		"",
	}
}

// nodeCases are about nodes themselves: what was published to a private one must not be opened.
func nodeCases() (cases []ruleCase) {
	open := form(submit, strings.Replace(onlyMe, "whitelist", "open", 1))
	for _, in := range []string{
		owns("<configure node='" + tune + "'>" + open + "</configure>"),
		owns("<configure node='" + tune + "'>" + form(submit, onlyMe) + "</configure>"),
		owns("<affiliations node='" + tune + "'><affiliation jid='juliet@capulet.example' affiliation='member'/></affiliations>"),
		owns("<subscriptions node='" + tune + "'><subscription jid='juliet@capulet.example' subscription='subscribed'/></subscriptions>"),
		makes("<create node='" + tune + "'/><configure>" + open + "</configure>"),
		makes("<create node='" + tune + "'/>"),
		makes("<configure node='" + tune + "'>" + open + "</configure>"),
	} {
		cases = append(cases,
			ruleCase{rule: "iq-activity-node", in: in, want: refuses},
			ruleCase{rule: "iq-shown", in: in, want: passes, consent: contacts},
			ruleCase{rule: "iq-read-state", in: strings.ReplaceAll(in, tune, mds), want: refuses, consent: contacts})
	}
	return append(cases,
		ruleCase{rule: "iq-activity-node", in: makes("<create/>"), want: refuses},
		ruleCase{rule: "", in: makes("<create node='urn:xmpp:bookmarks:1'/><configure>" + form(submit, onlyMe) + "</configure>"), want: passes},
		ruleCase{rule: "", in: owns("<configure node='eu.siacs.conversations.axolotl.devicelist'>" + open + "</configure>"), want: passes},
		ruleCase{rule: "", in: makes("<subscribe node='" + tune + "' jid='romeo@social.example'/>"), want: passes},
		ruleCase{rule: "", in: strings.Replace(owns("<configure node='blog'>"+open+"</configure>"), "<iq", "<iq to='pubsub.social.example'", 1), want: passes},
	)
}
