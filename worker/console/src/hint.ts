import './talk/talk.css';
